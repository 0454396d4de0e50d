from zoo.compare import main

main()
