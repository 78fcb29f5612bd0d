"""Money: from usage to bills that explain themselves, and the ledger behind them."""
