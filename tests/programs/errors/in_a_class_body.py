class Config:
    timeout = int("ten")
