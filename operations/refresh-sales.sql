MERGE INTO main.gold.daily_sales AS target
USING (
  SELECT order_date AS day, count(*) AS orders, CAST(sum(amount) AS DECIMAL(18, 2)) AS amount
  FROM main.sales.orders
  WHERE order_date = CAST(:day AS DATE) AND status <> 'cancelled'
  GROUP BY order_date
) AS source
ON target.day = source.day
WHEN MATCHED THEN UPDATE SET orders = source.orders, amount = source.amount
WHEN NOT MATCHED THEN INSERT (day, orders, amount) VALUES (source.day, source.orders, source.amount)
