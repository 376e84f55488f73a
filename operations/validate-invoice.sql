WITH given AS (
  SELECT from_json(:invoice, 'STRUCT<supplierId: STRING, invoiceNumber: STRING, invoiceDate: DATE, lines: ARRAY<STRUCT<quantity: DECIMAL(18, 4), unitPrice: DECIMAL(18, 4), taxRate: DECIMAL(9, 4)>>>') AS invoice
),
lines AS (
  SELECT explode(invoice.lines) AS line FROM given
),
sums AS (
  SELECT
    count(*) AS lines,
    count_if(line.quantity IS NULL OR line.unitPrice IS NULL OR line.taxRate IS NULL) AS incomplete,
    CAST(coalesce(sum(line.quantity * line.unitPrice), 0) AS DECIMAL(15, 2)) AS net_amount,
    CAST(coalesce(sum(line.quantity * line.unitPrice * line.taxRate), 0) AS DECIMAL(15, 2)) AS tax_amount
  FROM lines
)
SELECT
  sums.net_amount,
  sums.tax_amount,
  CAST(sums.net_amount + sums.tax_amount AS DECIMAL(15, 2)) AS total_due,
  given.invoice.supplierId IS NULL OR given.invoice.invoiceNumber IS NULL AS nameless,
  supplier.supplier_id IS NULL AS unknown_supplier,
  coalesce(NOT supplier.active, false) AS blocked_supplier,
  EXISTS (
    SELECT 1 FROM main.finance.invoices AS earlier
    WHERE earlier.supplier_id = given.invoice.supplierId AND earlier.invoice_number = given.invoice.invoiceNumber
  ) AS duplicate,
  sums.lines = 0 OR sums.incomplete > 0 AS incomplete
FROM given
CROSS JOIN sums
LEFT JOIN main.finance.suppliers AS supplier ON supplier.supplier_id = given.invoice.supplierId
