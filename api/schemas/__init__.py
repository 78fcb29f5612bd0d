"""What `/v1` takes and answers. Money and quantities are texts: no reader turns them to floats."""
