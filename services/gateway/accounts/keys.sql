-- name: key_add
INSERT INTO api_keys (id, label, owner, key_sha256, scopes, submissions_per_day, bytes_per_day,
                      judge_runs_per_month, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING *

-- name: creator_lock
-- One registration of a creator at a time, on all gateways, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended($1, 3))

-- name: keys_made_lately
SELECT count(*) AS made,
       extract(epoch FROM min(created_at) + interval '24 hours' - now())::float8 AS next_in
  FROM api_keys
 WHERE created_by = $1 AND created_at > now() - interval '24 hours'

-- name: keys_made_nearby
-- The same for a network around the creator's address.
SELECT count(*) AS made,
       extract(epoch FROM min(created_at) + interval '24 hours' - now())::float8 AS next_in
  FROM api_keys
 WHERE created_at > now() - interval '24 hours'
   AND CASE WHEN created_by LIKE 'address:%/64' THEN substr(created_by, 9)::inet << $1::text::inet END

-- name: key_find
-- By its own secret, or by one that a program has of an account.
SELECT * FROM api_keys WHERE key_sha256 = $1
 UNION ALL
SELECT k.*
  FROM sign_ins s
  JOIN api_keys k ON k.id = s.key_id
 WHERE s.token_sha256 = $1 AND s.kind = 'program' AND coalesce(s.expires_at, 'infinity') > now()

-- name: key_of_browser
SELECT k.*
  FROM sign_ins s
  JOIN api_keys k ON k.id = s.key_id
 WHERE s.token_sha256 = $1 AND s.kind = 'browser' AND s.expires_at > now() AND k.revoked_at IS NULL

-- name: owner_token_find
SELECT EXISTS (SELECT FROM submissions WHERE owner_token_sha256 = $1)

-- name: key_used
WITH shown AS (UPDATE sign_ins SET last_used_at = now() WHERE token_sha256 = $2)
UPDATE api_keys SET last_used_at = now()
 WHERE id = $1 AND coalesce(last_used_at, '-infinity') < now() - interval '1 minute'

-- name: keys_page
SELECT *
  FROM api_keys
 WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)
 ORDER BY created_at DESC, id DESC
 LIMIT $3

-- name: key_lock
SELECT * FROM api_keys WHERE id = $1 FOR UPDATE

-- name: key_revoke
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING *

-- name: key_set_quotas
UPDATE api_keys SET submissions_per_day = $2, bytes_per_day = $3, judge_runs_per_month = $4
 WHERE id = $1
RETURNING *
