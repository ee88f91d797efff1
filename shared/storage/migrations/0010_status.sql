-- What the status page needs: how long stages took lately, and what operators say about an incident.

CREATE INDEX submission_history_lately ON submission_history (state, at DESC);
CREATE INDEX judge_results_lately ON judge_results (completed_at DESC);

CREATE TABLE status_notice (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    text      text NOT NULL CHECK (text <> '' AND length(text) <= 1000),
    since     timestamptz NOT NULL DEFAULT now()
);
