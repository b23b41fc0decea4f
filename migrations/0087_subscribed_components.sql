-- Who is told by mail may choose of which components, as JSON: none or an empty list: of all that the page shows.
ALTER TABLE subscribers ADD COLUMN components TEXT;
-- What somebody who is told already has chosen anew, until that is confirmed.
ALTER TABLE subscribers ADD COLUMN wanted TEXT;
