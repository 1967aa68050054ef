"""What carries durable work: the queue, signs of life of who works, and the work as a whole."""
