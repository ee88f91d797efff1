"""Pages for people: templates, static files, charts, forms of administrators."""
