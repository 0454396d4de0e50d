from zoo.sweep import main

main()
