"""What a device and an aggregator must agree on: labels, samples, messages, tensors and the MQTT link."""
