"""What may lie in front of a recording's own first byte.

Source: id3.org, ID3v2.4 sections 3.1 and 6.2 (sizes in seven bits a byte, the footer).
"""

from __future__ import annotations


def id3_end(head: bytes) -> int:
    """Where the ID3v2 tags at the front end, 0 without one; may lie beyond the head."""
    end = 0
    while head[end : end + 3] == b"ID3" and head[end + 3 : end + 4] < b"\xff" and len(head) >= end + 10:
        size = 0
        for byte in head[end + 6 : end + 10]:
            size = size << 7 | byte & 0x7F
        end += 10 + size + (10 if head[end + 5] & 0x10 else 0)
    return end
