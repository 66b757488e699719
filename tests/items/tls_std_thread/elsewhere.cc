thread_local int elsewhere = 7;
