"""What rows are compared with where no library does the same, written as a careful user would."""
