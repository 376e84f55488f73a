"""The sample lakehouse: a small retail business, the same rows every time. No behaviour of the engine lives here."""

# A number in [0, 1) from a row's number: needs no generator state. Each use takes its own salt, so that columns do not
# move together. DuckDB's hash is the same everywhere for one version, and requirements.txt pins it (another for Python 3.10).
_RANDOM = "((hash({row} * 1000 + {salt}) % 1000003) / 1000003.0)"

CUSTOMERS = 2_000
ORDERS = 40_000


def _r(salt, row="i"):
    return _RANDOM.format(row=row, salt=salt)


def _pick(salt, *choices):
    listed = ", ".join("'" + choice.replace("'", "''") + "'" for choice in choices)
    return f"([{listed}])[1 + CAST(floor({_r(salt)} * {len(choices)}) AS INTEGER)]"


STATEMENTS = [
    "CREATE SCHEMA cat_main.sales",
    "CREATE SCHEMA cat_main.gold",
    "CREATE SCHEMA cat_main.finance",
    "CREATE SCHEMA cat_main.planning",
    f"""CREATE TABLE cat_main.sales.customers AS
        SELECT i AS customer_id,
               {_pick(1, 'Ada', 'Bruno', 'Chidi', 'Dana', 'Elif', 'Farid', 'Greta', 'Hana', 'Ivo', 'Jana', 'Zoë')}
               || ' ' ||
               {_pick(2, "O'Neill", 'Smith', 'García', 'Müller', 'Okafor', 'Tanaka', 'Novak', 'Silva', 'Khan')} AS name,
               CASE WHEN {_r(3)} < 0.97 THEN 'customer' || i || '@example.com' END AS email,
               {_pick(4, 'consumer', 'corporate', 'small business')} AS segment,
               {_pick(5, 'DE', 'FR', 'GB', 'NL', 'PL', 'SE')} AS country,
               DATE '2019-01-01' + CAST(floor({_r(6)} * 2000) AS INTEGER) AS since,
               {_r(7)} < 0.9 AS active
        FROM range(1, {CUSTOMERS + 1}) AS t(i)""",
    f"""CREATE TABLE cat_main.sales.orders AS
        SELECT order_id, customer_id, CAST(placed AS DATE) AS order_date, CAST(placed AS TIMESTAMPTZ) AS ordered_at,
               category, product, quantity, unit_price,
               CAST(quantity * unit_price * (1 - coalesce(discount, 0)) AS DECIMAL(18, 2)) AS amount,
               discount, status
        FROM (
            SELECT i AS order_id,
                   1 + CAST(floor(pow({_r(11)}, 2) * {CUSTOMERS}) AS BIGINT) AS customer_id,
                   -- Growth over two years, and more on some days than on others.
                   TIMESTAMP '2025-01-01 06:00:00'
                       + to_days(CAST(floor(sqrt({_r(12)}) * 730) AS INTEGER))
                       + to_seconds(CAST(floor({_r(13)} * 57600) AS INTEGER)) AS placed,
                   {_pick(14, 'garden', 'kitchen', 'office', 'outdoor', 'toys')} AS category,
                   'P-' || lpad(CAST(1 + CAST(floor({_r(15)} * 240) AS INTEGER) AS VARCHAR), 4, '0') AS product,
                   1 + CAST(floor(pow({_r(16)}, 3) * 12) AS INTEGER) AS quantity,
                   CAST(2 + pow({_r(17)}, 2) * 300 AS DECIMAL(10, 2)) AS unit_price,
                   CASE WHEN {_r(18)} < 0.25 THEN CAST(floor({_r(19)} * 6) * 0.05 AS DOUBLE) END AS discount,
                   CASE WHEN {_r(20)} < 0.9 THEN 'shipped' WHEN {_r(20)} < 0.97 THEN 'open' ELSE 'returned' END
                       AS status
            FROM range(1, {ORDERS + 1}) AS t(i)
        )""",
    """CREATE TABLE cat_main.gold.daily_sales AS
        SELECT order_date AS day, category, count(*) AS orders, CAST(sum(quantity) AS BIGINT) AS quantity,
               CAST(sum(amount) AS DECIMAL(18, 2)) AS amount
        FROM cat_main.sales.orders
        WHERE order_date < DATE '2026-11-01' AND status <> 'returned'
        GROUP BY ALL ORDER BY ALL""",
    "CREATE TABLE cat_main.gold.country_sales (country VARCHAR, month VARCHAR, orders BIGINT, amount DECIMAL(18, 2))",
    """CREATE TABLE cat_main.gold.quality_results (
        check_name VARCHAR, day DATE, bad BIGINT, total BIGINT, share DOUBLE, severity VARCHAR, run_id VARCHAR)""",
    """CREATE TABLE cat_main.finance.suppliers AS
        SELECT 'S-' || lpad(CAST(i AS VARCHAR), 3, '0') AS supplier_id, 'Supplier ' || i AS name, i % 10 <> 0 AS active
        FROM range(1, 41) AS t(i)""",
    """CREATE TABLE cat_main.finance.invoices AS
        SELECT 'S-' || lpad(CAST(1 + i % 40 AS VARCHAR), 3, '0') AS supplier_id, 'R-' || (1000 + i) AS invoice_number,
               DATE '2026-01-01' + CAST(i % 300 AS INTEGER) AS invoice_date,
               CAST(100 + i * 7 AS DECIMAL(15, 2)) AS net_amount, CAST((100 + i * 7) * 0.19 AS DECIMAL(15, 2)) AS tax_amount
        FROM range(1, 401) AS t(i)""",
    # What the planners have agreed on, and how often each figure has changed.
    """CREATE TABLE cat_main.planning.forecast AS
        SELECT country, month, CAST(50000 + hash(country || month) % 40000 AS DECIMAL(15, 2)) AS amount,
               CAST(1 AS BIGINT) AS version, 'import' AS changed_by
        FROM (SELECT unnest(['DE', 'FR', 'GB', 'NL', 'PL', 'SE']) AS country),
             (SELECT strftime(DATE '2026-12-01' + to_months(CAST(i AS INTEGER)), '%Y-%m') AS month FROM range(0, 13) AS t(i))
        ORDER BY ALL""",
    "ALTER TABLE cat_main.sales.customers ALTER COLUMN customer_id SET NOT NULL",
    "ALTER TABLE cat_main.sales.orders ALTER COLUMN order_id SET NOT NULL",
]


def fill(connection):
    """Makes the sample tables; the session's time zone must be UTC, so that instants are the same everywhere."""
    for statement in STATEMENTS:
        connection.execute(statement)


# Comments and keys of the sample, which are declared and not enforced.
_KEYS = {
    ("sales", "customers"): ("Who buys", [("customer_id", "One number a customer")], "customer_id"),
    ("sales", "orders"): ("What was bought", [("amount", "After the discount")], "order_id"),
}


def declare(declared):
    for (schema, table), (comment, comments, key) in _KEYS.items():
        constraints = [{"primary_key_constraint": {"name": f"{table}_pk", "child_columns": [key]}}]
        if table == "orders":
            constraints.append({"foreign_key_constraint": {
                "name": "orders_customers_fk", "child_columns": ["customer_id"],
                "parent_table": "main.sales.customers", "parent_columns": ["customer_id"]}})
        declared.declare("main", schema, table, comment=comment, comments=dict(comments), constraints=constraints)
