"""The device's page: live view, drawing, photographs, corrections, samples, learning."""
