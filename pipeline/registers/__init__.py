"""A bureau's own tables: who its devices and people are, who carried what, its cases and what was done in them.

`columns.py` knows which header means what, `rows.py` makes records of rows and says what is wrong with the others,
`keeping.py` compares them with what is registered and takes them in.
"""
