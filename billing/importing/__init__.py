"""Communities from spreadsheets: XLSX workbooks or folders of CSV, each problem by its cell."""
