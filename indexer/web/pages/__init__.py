"""One file a page; each exports ROUTES, and OPEN = True where nobody need have signed in."""
