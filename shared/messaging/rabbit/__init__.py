"""The bus over RabbitMQ (3.10 or newer): connections, queues, publishing, consuming, rebuilding."""
