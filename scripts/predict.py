from zoo.prediction import main

main()
