SELECT order_date AS day, count(*) AS orders, CAST(sum(amount) AS DECIMAL(18, 2)) AS amount
FROM main.sales.orders
WHERE order_date >= CAST(:first_day AS DATE) AND order_date < date_add(CAST(:first_day AS DATE), :days) AND status <> 'returned'
GROUP BY order_date
ORDER BY order_date
