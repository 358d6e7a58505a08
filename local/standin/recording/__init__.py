"""The stand-in for cloud plugins: it records what the program asks for and invents the answers."""
