SELECT customer_id, count(*) AS orders, sum(amount) AS amount
FROM main.sales.orders
WHERE order_date = CAST(:day AS DATE)
GROUP BY customer_id
ORDER BY amount DESC, customer_id
LIMIT 10
