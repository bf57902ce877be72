"""What a person or a program reads; knows no kernel."""
