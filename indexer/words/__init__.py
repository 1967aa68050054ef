"""What words mean: tokens, numerals, times, pinyin, and phrases. Pure."""
