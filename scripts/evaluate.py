from zoo.evaluate import main

main()
