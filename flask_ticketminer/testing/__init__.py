"""Tests of sites that take tickets."""
