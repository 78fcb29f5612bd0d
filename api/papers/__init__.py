"""Papers: bills, receipts, statements of account and of pools as PDF, in the reader's language.

A paper is made of what the pages are made of, and says the same. For a bill as bytes, to send or to
file, there is `api.papers.bill.bill_pdf(connection, number, language=…, seals=…) -> bytes | None`;
every other paper is made in two steps, `…_paper(…) -> Paper` and `typeset(paper) -> bytes`.
"""
