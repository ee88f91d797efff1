"""What a judge of captions is asked, and how its replies become values."""
