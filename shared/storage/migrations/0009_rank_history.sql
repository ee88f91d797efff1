-- Where each entry stood, as spans of time: one row for as long as a rank lasts, so that a board that
-- is ranked again writes only what has changed. Written by the ranker together with the snapshot.

CREATE TABLE rank_history (
    entry_id       uuid NOT NULL REFERENCES entries ON DELETE CASCADE,
    board          text NOT NULL REFERENCES boards,
    scoring        text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    rank           integer NOT NULL CHECK (rank > 0),
    entered        boolean NOT NULL,                 -- its first rank on this board
    since_snapshot bigint NOT NULL,                  -- no reference: history outlives old snapshots
    since          timestamptz NOT NULL,
    until_snapshot bigint,                           -- null: it stands there now
    until          timestamptz,
    PRIMARY KEY (entry_id, board, scoring, since_snapshot),
    CHECK ((until_snapshot IS NULL) = (until IS NULL)),
    CHECK (until_snapshot > since_snapshot)
);
CREATE UNIQUE INDEX rank_history_open ON rank_history (board, scoring, entry_id) WHERE until IS NULL;
CREATE INDEX rank_history_entered ON rank_history (board, since DESC) WHERE entered AND scoring = 'compat';

-- What the snapshots up to now tell. Runs of equal ranks have the same difference between the place
-- of the snapshot on its board and the place of the row among the entry's rows of this rank.
WITH numbered AS (
    SELECT id, board, scoring, created_at, content,
           row_number() OVER board_order AS place,
           lead(id) OVER board_order AS next_id,
           lead(created_at) OVER board_order AS next_at
      FROM snapshots
    WINDOW board_order AS (PARTITION BY board, scoring ORDER BY id)
), shown AS (
    SELECT numbered.*, (line ->> 'entry_id')::uuid AS entry_id, (line ->> 'rank')::integer AS rank
      FROM numbered
     CROSS JOIN LATERAL json_array_elements(convert_from(content, 'UTF8')::json) AS line
), runs AS (
    SELECT shown.*,
           place - row_number() OVER (
               PARTITION BY board, scoring, entry_id, rank ORDER BY place) AS run
      FROM shown
), spans AS (
    SELECT entry_id, board, scoring, rank, min(id) AS since_snapshot, min(created_at) AS since,
           (array_agg(next_id ORDER BY place DESC))[1] AS until_snapshot,
           (array_agg(next_at ORDER BY place DESC))[1] AS until
      FROM runs
     GROUP BY entry_id, board, scoring, rank, run
)
INSERT INTO rank_history
SELECT entry_id, board, scoring, rank,
       since_snapshot = min(since_snapshot) OVER (PARTITION BY entry_id, board, scoring),
       since_snapshot, since, until_snapshot, until
  FROM spans
 WHERE EXISTS (SELECT FROM entries WHERE entries.id = entry_id);
