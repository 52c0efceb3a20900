"""Attacks on rentpay: what outsiders, damaged files and odd texts may try."""
