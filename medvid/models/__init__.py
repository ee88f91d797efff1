"""What the API takes and answers, told once: the gateway and the client use the same classes."""
