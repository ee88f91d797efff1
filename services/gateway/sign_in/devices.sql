-- name: code_add
-- Nothing where the address ($4) or all together ($6) have as many open as they may.
INSERT INTO device_codes (device_sha256, user_code, label, address, expires_at)
SELECT $1, $2, $3, $4, now() + make_interval(secs => $5)
 WHERE (SELECT count(*) FROM device_codes WHERE address = $4 AND expires_at > now()) < $6
   AND (SELECT count(*) FROM device_codes WHERE expires_at > now()) < $7
RETURNING user_code

-- name: code_find
-- What nobody has answered yet.
SELECT user_code, label, address, created_at
  FROM device_codes
 WHERE user_code = $1 AND expires_at > now() AND key_id IS NULL AND NOT denied

-- name: code_answer
UPDATE device_codes SET key_id = $2::uuid, denied = $2 IS NULL
 WHERE user_code = $1 AND expires_at > now() AND key_id IS NULL AND NOT denied
RETURNING label

-- name: code_poll
-- Its row stays locked: a code is exchanged once.
SELECT d.key_id, d.denied, d.label, d.expires_at < now() AS expired,
       d.polled_at > now() - make_interval(secs => $2) AS too_soon,
       k.revoked_at IS NOT NULL AS revoked
  FROM device_codes d
  LEFT JOIN api_keys k ON k.id = d.key_id
 WHERE d.device_sha256 = $1
   FOR UPDATE OF d

-- name: code_polled
UPDATE device_codes SET polled_at = now() WHERE device_sha256 = $1

-- name: code_delete
DELETE FROM device_codes WHERE device_sha256 = $1

-- name: codes_forget
DELETE FROM device_codes WHERE expires_at < now() - interval '1 hour'
