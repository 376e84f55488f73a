MERGE INTO main.gold.country_sales AS target
USING (
  SELECT customer.country, date_format(sale.order_date, 'yyyy-MM') AS month, count(*) AS orders,
         CAST(sum(sale.amount) AS DECIMAL(18, 2)) AS amount
  FROM main.sales.orders AS sale
  JOIN main.sales.customers AS customer ON customer.customer_id = sale.customer_id
  WHERE date_format(sale.order_date, 'yyyy-MM') = :month AND sale.status <> 'returned'
  GROUP BY customer.country, date_format(sale.order_date, 'yyyy-MM')
) AS source
ON target.country = source.country AND target.month = source.month
WHEN MATCHED THEN UPDATE SET target.orders = source.orders, target.amount = source.amount
WHEN NOT MATCHED THEN INSERT (country, month, orders, amount)
  VALUES (source.country, source.month, source.orders, source.amount)
