-- name: notice
SELECT text, since FROM status_notice

-- name: notice_set
INSERT INTO status_notice (text) VALUES ($1)
ON CONFLICT (singleton) DO UPDATE SET text = EXCLUDED.text, since = now()

-- name: notice_clear
DELETE FROM status_notice
