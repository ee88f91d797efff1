-- What judging costs, by run, judge version, endpoint and day: written in the transaction that charges the run.

CREATE TABLE judge_costs (
    run_id         uuid NOT NULL,                    -- no reference: the money stays spent, as in judge_spending
    judge_version  text NOT NULL,
    endpoint       text NOT NULL,                    -- its name, which holds no secret
    day            date NOT NULL,                    -- UTC, as the months of judge_spending
    spent_microusd bigint NOT NULL CHECK (spent_microusd > 0),
    PRIMARY KEY (run_id, judge_version, endpoint, day)
);
CREATE INDEX judge_costs_of_day ON judge_costs (day);

-- What the first plan of a run said that a judge version would cost; later plans only say what is left.
CREATE TABLE judge_estimates (
    run_id        uuid NOT NULL REFERENCES judge_runs ON DELETE CASCADE,
    judge_version text NOT NULL,
    day           date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    microusd      bigint NOT NULL CHECK (microusd >= 0),
    PRIMARY KEY (run_id, judge_version)
);
INSERT INTO judge_estimates (run_id, judge_version, day, microusd)
SELECT id, judge_version, (created_at AT TIME ZONE 'UTC')::date, round((estimate ->> 'usd')::numeric * 1000000)
  FROM judge_runs
 WHERE judge_version IS NOT NULL AND estimate ->> 'usd' IS NOT NULL;
