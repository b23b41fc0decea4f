-- What came of the use of a link, a button or a key, so that its repeats get the same answer. NULL: not known yet.
ALTER TABLE used_links ADD COLUMN outcome TEXT;
