"""What Telegram chats are told and asked: levels, texts, groups and commands, as pure rules."""
