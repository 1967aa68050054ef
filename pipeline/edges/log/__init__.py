"""What makes the audit log provable: keys, signed heads, the tree over its lines, and what second parties sign."""
