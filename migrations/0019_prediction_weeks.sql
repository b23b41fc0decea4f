-- What the forecast showed, against what happened, as counters of each week: rows that are decided go into them.

CREATE TABLE prediction_weeks (
    tenant      TEXT   NOT NULL,
    week        BIGINT NOT NULL, -- by the moment of the forecast; counted from the one that began on Monday, 29 December 1969
    cell        BIGINT NOT NULL, -- the probability in fiftieths, 0 to 49
    predictions BIGINT NOT NULL,
    breached    BIGINT NOT NULL,
    said        REAL   NOT NULL, -- sum of the probabilities
    squares     REAL   NOT NULL, -- sum of the squared distances between said and happened
    PRIMARY KEY (tenant, week, cell)
) WITHOUT ROWID;

INSERT INTO prediction_weeks (tenant, week, cell, predictions, breached, said, squares)
SELECT tenant, (at / 86400000 + 3) / 7, MIN(CAST(probability * 50 AS INTEGER), 49), COUNT(*), SUM(breached),
       SUM(probability), SUM((probability - breached) * (probability - breached))
FROM predictions
WHERE breached IS NOT NULL AND moment <> 'alert'
GROUP BY 1, 2, 3;

DELETE FROM predictions WHERE breached IS NOT NULL AND moment <> 'alert';
DROP INDEX predictions_open;
CREATE INDEX predictions_open ON predictions (tenant, decided_at);
-- What was asked by it is counted now.
DROP INDEX predictions_at;
