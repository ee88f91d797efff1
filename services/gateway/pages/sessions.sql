-- name: session_add
INSERT INTO admin_sessions (token_sha256, who, key_sha256, expires_at)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))

-- name: session_find
-- A session lives no longer than the key it was opened with.
SELECT s.who, s.expires_at
  FROM admin_sessions s
 WHERE s.token_sha256 = $1 AND s.expires_at > now()
   AND (s.key_sha256 = $2
        OR EXISTS (SELECT FROM api_keys k
                    WHERE k.key_sha256 = s.key_sha256 AND k.revoked_at IS NULL
                      AND 'admin' = ANY (k.scopes)))

-- name: session_end
DELETE FROM admin_sessions WHERE token_sha256 = $1

-- name: sessions_forget
DELETE FROM admin_sessions WHERE expires_at < now()
