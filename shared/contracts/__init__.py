"""Message contracts: what one service may say to another. Old versions are never edited."""
