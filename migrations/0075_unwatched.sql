-- Of a clock that was not watched from its beginning nobody knows whether somebody was at work on it.
UPDATE entries SET reason = 'unwatched' WHERE observed = 0 AND reason IN ('waiting', 'worked_on');
