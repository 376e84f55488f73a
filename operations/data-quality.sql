WITH day_orders AS (
  SELECT * FROM main.sales.orders WHERE order_date = CAST(:day AS DATE)
),
expected AS (
  SELECT category, count(*) AS orders, CAST(sum(amount) AS DECIMAL(18, 2)) AS amount
  FROM day_orders
  WHERE status <> 'returned'
  GROUP BY category
),
checks AS (
  SELECT 'gold matches the orders' AS check_name,
         count_if(gold.day IS NULL OR gold.orders <> expected.orders OR gold.amount <> expected.amount) AS bad,
         count(*) AS total
  FROM expected
  LEFT JOIN main.gold.daily_sales AS gold ON gold.day = CAST(:day AS DATE) AND gold.category = expected.category
  UNION ALL
  SELECT 'orders have a customer', count_if(customer.customer_id IS NULL), count(*)
  FROM day_orders
  LEFT JOIN main.sales.customers AS customer ON customer.customer_id = day_orders.customer_id
  UNION ALL
  SELECT 'amounts are not negative', count_if(amount < 0), count(*) FROM day_orders
)
SELECT check_name, bad, total, bad / greatest(total, 1) AS share,
       CASE WHEN bad / greatest(total, 1) > :critical THEN 'critical'
            WHEN bad / greatest(total, 1) > :warning THEN 'warning'
            ELSE 'ok' END AS severity
FROM checks
ORDER BY check_name
