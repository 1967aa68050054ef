"""What an export package is made of: which parts, under which names, told how, proved by what.

selection   the originals of a case, and what of it is missing
names       names that every system can hold
words       the sentences of list and report in Chinese and English
listing     the electronic-evidence list (电子数据清单) as CSV
report      the same and more for reading, as HTML; printed.py gives it as PDF
proofs      what lets an outsider check the package
package/    the files that travel with every package, as they are
"""
