"""The stand-in judge as an OpenAI-compatible server, for the demo and for tests over real HTTP."""
