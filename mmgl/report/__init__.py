"""Reports: a page that needs nothing else, its charts, and the report of a training. Imports no torch."""
