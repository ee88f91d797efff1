"""What the API takes and answers, once: the gateway and the client use the same classes."""
