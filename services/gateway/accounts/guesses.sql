-- name: guesses_wait
-- In how many seconds the last of some accounts may try again ($2: how often each may be wrong
-- within $3 seconds); null: they may now.
SELECT max(extract(epoch FROM last.at - now())::float8 + $3::float8) AS wait
  FROM unnest($1::text[], $2::int[]) AS asked (account, most)
 CROSS JOIN LATERAL (
       SELECT g.at
         FROM key_guesses g
        WHERE g.account = asked.account AND g.at > now() - make_interval(secs => $3::float8)
        ORDER BY g.at DESC
       OFFSET asked.most - 1
        LIMIT 1) AS last

-- name: guesses_add
INSERT INTO key_guesses (account) SELECT unnest($1::text[])

-- name: guesses_forget
DELETE FROM key_guesses WHERE at < now() - interval '1 hour'
