"""The catalog behind its door: tables, engines, and a file of rows and queries for each noun."""
