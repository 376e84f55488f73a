MERGE INTO main.gold.daily_sales AS target
USING (
  SELECT order_date AS day, category, count(*) AS orders, CAST(sum(quantity) AS BIGINT) AS quantity,
         CAST(sum(amount) AS DECIMAL(18, 2)) AS amount
  FROM main.sales.orders
  WHERE order_date = CAST(:day AS DATE) AND status <> 'returned'
  GROUP BY order_date, category
) AS source
ON target.day = source.day AND target.category = source.category
WHEN MATCHED THEN UPDATE SET
  target.orders = source.orders, target.quantity = source.quantity, target.amount = source.amount
WHEN NOT MATCHED THEN INSERT (day, category, orders, quantity, amount)
  VALUES (source.day, source.category, source.orders, source.quantity, source.amount)
